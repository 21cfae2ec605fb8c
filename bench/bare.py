"""FastAPI as it comes, with the gateway's RPC client: `python -m bench.bare PORT`."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from bench.contract import ECHO, SELECT, Said, Say
from gateway.rpc import RpcClient
from services.contracts.base import Operation
from services.plumbing.settings import read


def make_app(rpc: RpcClient) -> FastAPI:
    @asynccontextmanager
    async def connected(app: FastAPI) -> AsyncIterator[None]:
        await rpc.start()
        yield
        await rpc.stop()

    app = FastAPI(lifespan=connected)

    async def ask(operation: Operation[Say, Said], word: str) -> Said:
        return await rpc.call(operation, Say(word=word), passport="", request_id="bench")

    @app.get("/alone/{word}")
    async def alone(word: str) -> Said:
        return Said(word=word)

    @app.get("/echo/{word}")
    async def echo(word: str) -> Said:
        return await ask(ECHO, word)

    @app.get("/select/{word}")
    async def select(word: str) -> Said:
        return await ask(SELECT, word)

    return app


def main(port: int) -> None:
    app = make_app(RpcClient(read("QUDAO_AMQP_URI") or ""))
    uvicorn.run(
        app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", ws="none", access_log=False, log_level="warning"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
