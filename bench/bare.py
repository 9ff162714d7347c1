"""`python -m bench.bare`: the framework with one empty route, as a service."""

import json

import uvicorn
import uvloop
from fastapi import FastAPI
from uvicorn.config import Config

from videoannotator.api.serving import listening

app = FastAPI()


@app.get("/nothing/{name}")
async def nothing(name: str) -> dict[str, str]:
    """Answers as little as the framework can."""
    return {"name": name}


def main() -> None:
    """Serves on a free port, told as the services do."""
    with listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        print(json.dumps({"address": f"http://127.0.0.1:{port}"}), flush=True)
        server = uvicorn.Server(Config(app, log_config=None, access_log=False))
        uvloop.run(server.serve([listener]))


if __name__ == "__main__":
    main()
