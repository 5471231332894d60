# panflow as a command: docker build -t panflow . && docker run --rm -v "$PWD:/data" panflow sharpen pan.tif ms.tif sharp.tif
# Not tried: no container engine was at hand. What it installs is what `make test-light` tests, without a container.
FROM python:3.12-slim AS build
COPY . /src
RUN pip wheel --no-cache-dir --wheel-dir /wheels "/src[fast]"

FROM python:3.12-slim
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-index --find-links /wheels "panflow[fast]" && rm -r /wheels
RUN useradd --create-home panflow
USER panflow
WORKDIR /data
ENTRYPOINT ["panflow"]
CMD ["--help"]
