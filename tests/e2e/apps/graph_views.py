"""Classes behind FastAPI applications: methods as routes, one as it is, WebSockets."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, WebSocket, WebSocketDisconnect

import headrace as hr

app = FastAPI()


@app.middleware("http")
async def named(request: Request, proceed: Any) -> Any:
    response = await proceed(request)
    response.headers["x-served-by"] = "fastapi"
    return response


def token(request: Request) -> str:
    return request.headers.get("x-token", "none")


@hr.deployment(route="/hello")
@hr.ingress(app)
class Hello:
    """A class with routes: several methods, two of one name, path parameters."""

    def __init__(self) -> None:
        self.greeting = "Hello"

    @app.get("/")
    def root(self) -> str:
        return f"{self.greeting}, world!"

    @app.post("/{subpath}")  # type: ignore[no-redef] # a route is the function, not its name
    def root(self, subpath: str, tone: str = "calm") -> str:  # noqa: F811
        return f"{self.greeting} from {subpath}, {tone}!"

    @app.get("/who/{name}")
    async def who(self, name: str, given: Annotated[str, Depends(token)]) -> dict[str, str]:
        return {"greeting": self.greeting, "name": name, "token": given}


existing = FastAPI()


@existing.get("/f")
def f() -> str:
    return "an existing application"


@hr.deployment(route="/scaled", replicas=2)
@hr.ingress(existing)
class Scaled:
    pass


sockets = FastAPI()


@hr.deployment(route="/ws")
@hr.ingress(sockets)
class Echo:
    @sockets.websocket("/")
    async def echo(self, websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            while True:
                await websocket.send_text(await websocket.receive_text())
        except WebSocketDisconnect:
            print("the client has gone", flush=True)


hr.run(Hello, Scaled, Echo)
