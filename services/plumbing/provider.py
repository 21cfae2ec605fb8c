"""How nameko hands the runtime to a service."""

from typing import Any

from nameko import config
from nameko.extensions import DependencyProvider

RUNTIME_KEY = "QUDAO_RUNTIME"


class Plumbing(DependencyProvider):  # type: ignore[misc]
    """The process's runtime, the same for all workers. Nothing here may raise: nameko would end the process."""

    def start(self) -> None:
        config[RUNTIME_KEY].start()

    def stop(self) -> None:
        config[RUNTIME_KEY].stop()

    def get_dependency(self, worker_ctx: Any) -> Any:
        return config[RUNTIME_KEY]
