# The endpoint in a container. It listens on all addresses there, so it wants the sha256 of a key:
#   docker build -t promptfix .
#   docker run -p 8000:8000 -e PROMPTFIX_SERVICE_KEYS='["<sha256 of the key>"]' promptfix
# Traces lie in a volume: -v traces:/home/promptfix/.local/state/promptfix keeps them.
FROM python:3.12-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY . .
# The CPU build of torch is a tenth of the CUDA one; give another index for a GPU image.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir --extra-index-url "$TORCH_INDEX" --constraint constraints.txt torch \
    && pip install --no-cache-dir --constraint constraints.txt .
RUN useradd --create-home promptfix \
    && install -d -o promptfix -g promptfix /home/promptfix/.local/state/promptfix
USER promptfix
ENV HF_HUB_OFFLINE=1 PROMPTFIX_SERVICE_HOST=0.0.0.0
VOLUME /home/promptfix/.local/state/promptfix
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz')"]
ENTRYPOINT ["promptfix"]
CMD ["serve"]
