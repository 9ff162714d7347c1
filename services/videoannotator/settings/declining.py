"""Tells libraries to send nothing to their makers: recordings of people are nobody else's."""

import os

#: Read by each library when it is imported: onnxruntime (it would also leave files in the folder
#: for temporary files and in the home), the Hugging Face libraries, and those that keep to the
#: common one.
DECLINED = ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK")


def decline_telemetry() -> None:
    """To be called before a library is imported that may report on its use."""
    for name in DECLINED:
        os.environ[name] = "1"
