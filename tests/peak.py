"""How much memory operations take, by the storages of what they make."""

import weakref
from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from ganlib.contract.tape import tensors


class Peak(TorchDispatchMode):
    """The most bytes at a time of what operations in it made."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[int, weakref.ref[Any]] = {}
        self.now = self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        old = {t.untyped_storage()._cdata for t in tensors([args, kwargs])}
        for storage in (t.untyped_storage() for t in tensors(result)):
            if storage._cdata not in {*old, *self.alive}:
                self.alive[storage._cdata] = weakref.ref(storage, self._free(storage))
                self.now += storage.nbytes()
        self.most = max(self.most, self.now)
        return result

    def _free(self, storage: Any) -> Callable[[Any], None]:
        key, size = storage._cdata, storage.nbytes()

        def free(_: Any) -> None:
            del self.alive[key]
            self.now -= size

        return free
