"""Applications that do what is seldom done: large bodies, background work, ends of all kinds."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, WebSocket
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse

import headrace as hr


@contextlib.asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    if os.environ.get("BROKEN_START"):
        raise ValueError("the weights are not there")
    print("it starts", flush=True)
    yield {"colour": "red"}
    print("it has ended", flush=True)


app = FastAPI(lifespan=lifespan)


@app.get("/state")
def state(request: Request) -> dict[str, Any]:
    return {"colour": request.state.colour, "root": request.scope["root_path"], "pid": os.getpid()}


@app.post("/count")
async def count(request: Request) -> dict[str, int]:
    size = pieces = 0
    async for piece in request.stream():
        size += len(piece)
        pieces += 1
    return {"size": size, "pieces": pieces}


@app.post("/slowly")
async def slowly(request: Request) -> int:
    size = 0
    try:
        async for piece in request.stream():
            size += len(piece)
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        print(f"cancelled after {size} bytes", flush=True)
        raise
    return size


@app.post("/unread")
async def unread() -> str:
    return "nobody read it"


@app.api_route("/file", methods=["GET", "HEAD"])
def file() -> FileResponse:
    return FileResponse(Path(__file__))


@app.get("/empty")
def empty() -> Response:
    return Response(status_code=204)


@app.get("/unchanged")
def unchanged() -> Response:
    return Response(status_code=304, headers={"etag": "abc"})


@app.get("/cookies")
def cookies() -> Response:
    response = PlainTextResponse("two")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@app.get("/behind")
def behind() -> Response:
    async def later() -> None:
        await asyncio.sleep(0.3)
        print("the work behind it is done", flush=True)

    return PlainTextResponse("at once", background=BackgroundTask(later))


@app.get("/large")
def large(size: int) -> Response:
    return Response(b"x" * size, media_type="application/octet-stream")


@app.get("/raises")
async def raises() -> None:
    raise ValueError("a secret of the application")


@app.get("/refuses")
async def refuses() -> None:
    raise HTTPException(418, "a teapot", headers={"x-pot": "tea"})


@app.get("/halfway")
async def halfway() -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"the first half"
        await asyncio.sleep(0.05)
        raise ValueError("the second half is missing")

    return StreamingResponse(pieces())


@app.get("/dies")
async def dies() -> None:
    os._exit(7)


@app.post("/dies")
async def dies_too() -> None:
    os._exit(7)


@app.websocket("/ws")
async def echo(websocket: WebSocket) -> None:
    offered = websocket.scope["subprotocols"]
    await websocket.accept(
        subprotocol=offered[0] if offered else None, headers=[(b"x-hello", b"you")]
    )
    await websocket.send_text(str(os.getpid()))
    while (message := await websocket.receive())["type"] == "websocket.receive":
        if message.get("text") is not None:
            await websocket.send_text(message["text"])
        else:
            await websocket.send_bytes(message["bytes"])
    print(f"disconnected: {message['code']} {message.get('reason')}", flush=True)


@app.websocket("/ws/closing")
async def closing(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close(4001, "enough")


@app.websocket("/ws/returning")
async def returning(websocket: WebSocket) -> None:
    await websocket.accept()


@app.websocket("/ws/raising")
async def raising(websocket: WebSocket) -> None:
    await websocket.accept()
    raise ValueError("in the midst of it")


@app.websocket("/ws/denied")
async def denied(websocket: WebSocket) -> None:
    await websocket.close(1008)


@app.websocket("/ws/worded")
async def worded(websocket: WebSocket) -> None:
    await websocket.send_denial_response(PlainTextResponse("not today", 402, {"x-why": "tired"}))


@app.websocket("/ws/deaf")
async def deaf(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        await asyncio.sleep(100)
    except asyncio.CancelledError:
        print("the deaf one was cancelled", flush=True)
        raise


@app.websocket("/ws/flood")
async def flood(websocket: WebSocket) -> None:
    await websocket.accept()
    sent = 0
    try:
        while True:
            await websocket.send_bytes(b"x" * 65536)
            sent += 1
    finally:
        print(f"sent {sent}", flush=True)


@hr.deployment(route="/app", cancel_grace_s=0.5, max_body_bytes=200_000_000)
@hr.ingress(app)
class App:
    def setup(self, device: str) -> None:
        print(f"set up on {device}", flush=True)

    def teardown(self) -> None:
        print("torn down", flush=True)


@hr.deployment(route="/small", max_body_bytes=100_000)
@hr.ingress(app)
class Small:
    pass


hr.run(App, Small)
