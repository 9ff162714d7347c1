# Every image of VideoAnnotator, a target each; `make images` builds them, docs/guides says how to
# use them. The control plane (api, scheduler, migrations):
#
#   docker build --target control --tag videoannotator/control .
#
# A change of the code builds the last, small layer of an image anew and installs no dependency.
# Any base with Python 3.11 or later, venv and the certificates of authorities does.
ARG BASE_IMAGE=python:3.11-slim-bookworm

# --- What builds: uv, as locked. Nothing of these stages is in an image but the two folders that
# --- are copied out of them, /opt/videoannotator/packages and /opt/videoannotator/program.
FROM ${BASE_IMAGE} AS tools
# Given to the build where a site has a mirror of its own; known to no later stage.
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
ENV UV_PYTHON_DOWNLOADS=never \
    UV_LINK_MODE=copy \
    UV_NO_PROGRESS=1 \
    PATH=/opt/build:/opt/tools/bin:$PATH
WORKDIR /build
COPY images/trusting images/install-tools images/install-packages images/install-program /opt/build/
COPY pyproject.toml uv.lock ./
RUN --mount=type=secret,id=certificates trusting install-tools

FROM tools AS control-packages
RUN --mount=type=secret,id=certificates trusting install-packages api scheduler kubernetes s3

FROM tools AS scene-packages
RUN --mount=type=secret,id=certificates trusting install-packages scene

FROM tools AS speech-packages
RUN --mount=type=secret,id=certificates trusting install-packages speech

FROM tools AS person-packages
RUN --mount=type=secret,id=certificates trusting install-packages person

FROM tools AS face-packages
RUN --mount=type=secret,id=certificates trusting install-packages face

FROM tools AS audio-packages
RUN --mount=type=secret,id=certificates trusting install-packages audio

FROM tools AS voice-packages
RUN --mount=type=secret,id=certificates trusting install-packages voice

# The program alone, with its contracts compiled: the same in every image.
FROM tools AS program
COPY README.md LICENSE ./
COPY protos protos
COPY services services
RUN --mount=type=secret,id=certificates trusting install-program

# --- What runs. Nothing is written but below /tmp, so the root may be read-only.
FROM ${BASE_IMAGE} AS runtime
RUN groupadd --gid 10001 videoannotator && \
    useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp \
      --shell /usr/sbin/nologin videoannotator
ENV PATH=/opt/videoannotator/program/bin:/opt/videoannotator/packages/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1
WORKDIR /
LABEL org.opencontainers.image.title="VideoAnnotator" \
      org.opencontainers.image.licenses="MIT"
USER 10001:10001

# A worker: one pipeline's inference service. The name of the pipeline is its argument.
FROM runtime AS worker
ENTRYPOINT ["python", "-m", "videoannotator.inference"]

FROM runtime AS control
COPY --from=control-packages /opt/videoannotator/packages /opt/videoannotator/packages
COPY --from=program /opt/videoannotator/program /opt/videoannotator/program
LABEL org.opencontainers.image.description="api, scheduler and migrations"
ENTRYPOINT ["videoannotator"]

FROM worker AS scene
COPY --from=scene-packages /opt/videoannotator/packages /opt/videoannotator/packages
COPY --from=program /opt/videoannotator/program /opt/videoannotator/program
LABEL org.opencontainers.image.description="inference service: scene detection"

FROM worker AS speech
COPY --from=speech-packages /opt/videoannotator/packages /opt/videoannotator/packages
COPY --from=program /opt/videoannotator/program /opt/videoannotator/program
LABEL org.opencontainers.image.description="inference service: voice activity and speech"

FROM worker AS person
COPY --from=person-packages /opt/videoannotator/packages /opt/videoannotator/packages
COPY --from=program /opt/videoannotator/program /opt/videoannotator/program
LABEL org.opencontainers.image.description="inference service: persons"

FROM worker AS face
COPY --from=face-packages /opt/videoannotator/packages /opt/videoannotator/packages
COPY --from=program /opt/videoannotator/program /opt/videoannotator/program
LABEL org.opencontainers.image.description="inference service: faces"

FROM worker AS audio
COPY --from=audio-packages /opt/videoannotator/packages /opt/videoannotator/packages
COPY --from=program /opt/videoannotator/program /opt/videoannotator/program
LABEL org.opencontainers.image.description="inference service: sound"

FROM worker AS voice
COPY --from=voice-packages /opt/videoannotator/packages /opt/videoannotator/packages
COPY --from=program /opt/videoannotator/program /opt/videoannotator/program
LABEL org.opencontainers.image.description="inference service: voices and speakers"
