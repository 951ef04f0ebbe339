"""The floor of `benchmarks.serving`: a bare ASGI function, msgspec and ONNX Runtime; prints its port."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime as ort
import uvicorn

HEADERS = (b"content-type", b"application/json")


def make_application(path: Path, output: str) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    decode, encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode

    async def application(scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        row = np.array([decode(body)["inputs"][0]["data"]], dtype=np.float64)
        score = session.run([output], {name: row})[0].tolist()
        answer = encode({"outputs": [{"name": "p", "shape": [1], "datatype": "FP64", "data": score}]})
        headers = [HEADERS, (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return application


def main() -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        make_application(Path(sys.argv[1]), sys.argv[2]),
        loop="uvloop", http="httptools", ws="none", lifespan="off", log_config=None, access_log=False,
        server_header=False, date_header=False,
    )  # fmt: skip
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
