"""Compiles the contracts in protos/ into services/videoannotator/v1.

Runs as a hatch build hook or by `python protos/build.py`.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "services"


def compile_contracts() -> list[str]:
    """Writes the message, stub and type files; returns their paths relative to the repository."""
    import grpc_tools
    from grpc_tools import protoc

    sources = sorted(HERE.glob("videoannotator/v1/*.proto"))
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    status = protoc.main(
        [
            "protoc",
            f"-I{HERE}",
            f"-I{well_known}",
            f"--python_out={OUT}",
            f"--pyi_out={OUT}",
            f"--grpc_python_out={OUT}",
            *[str(source) for source in sources],
        ]
    )
    if status != 0:
        raise SystemExit(f"protoc failed with status {status}; its message is above")
    package = OUT / "videoannotator" / "v1"
    made = [*package.glob("*_pb2.py"), *package.glob("*_pb2.pyi"), *package.glob("*_pb2_grpc.py")]
    return sorted(str(path.relative_to(HERE.parent)) for path in made)


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand, outside a build
    pass
else:

    class ContractsHook(BuildHookInterface):  # type: ignore[type-arg]
        """Git ignores the compiled files, so the build is told to pack them."""

        PLUGIN_NAME = "custom"

        def initialize(self, version: str, build_data: dict[str, list[str]]) -> None:
            build_data["artifacts"] += compile_contracts()


if __name__ == "__main__":
    print("\n".join(compile_contracts()))
    sys.exit(0)
