"""`compiled`: numba's compiler for every kernel of the project, whose machine code is never stale.

Use it instead of ``numba.njit``. Where and under which name machine code is kept, `kernel_folders` decides; a kernel
runs the same whether its code was kept, compiled just now, or could not be kept.
"""

from __future__ import annotations

import contextlib
import fcntl
from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional

from harness.contracts.kernel_folders import kernel_folder

_known: List[Any] = []
"""The kernels of this process, in the order of their definition."""
_listeners: List[Callable[[], None]] = []
"""Called before a kernel is compiled."""


def compiled(function: Optional[Callable[..., Any]] = None, *, signature: str = "", error_model: str = "python") -> Any:
    """Return ``function`` compiled: a decorator, with or without arguments.

    It is compiled at its first call for each kind of arguments, and without the interpreter lock. With a
    ``signature`` (numba's words) it is compiled at once, for that alone. ``error_model`` "numpy" lets a division by
    zero give infinity. There is no fastmath: bits must not depend on the CPU.
    """
    if function is None:
        return partial(compiled, signature=signature, error_model=error_model)
    import numba

    dispatcher = numba.njit(nogil=True, error_model=error_model)(function)
    if not hasattr(dispatcher, "_cache"):  # NUMBA_DISABLE_JIT
        return dispatcher
    folder = kernel_folder(Path(function.__code__.co_filename), function.__module__, error_model)
    if folder is not None:
        dispatcher._cache = _kept_code(folder)(function)
    _known.append(dispatcher)
    if signature:
        dispatcher.compile(signature)
        dispatcher.disable_compile()
    return dispatcher


@contextlib.contextmanager
def telling(report: Callable[[int, int], None]) -> Iterator[None]:
    """Call ``report`` whenever a kernel is about to be compiled: with how many that is by now, and how many are known.

    Those whose machine code was kept are not compiled. Where nothing can be kept, nothing is told.
    """
    count = 0

    def tell() -> None:
        nonlocal count
        count += 1
        report(count, max(count, len(_known)))

    _listeners.append(tell)
    try:
        yield
    finally:
        _listeners.remove(tell)


def _kept_code(folder: Path) -> Any:
    """Return the class of what keeps machine code in ``folder``. It is numba's own, with three differences.

    The folder is given. What cannot be read (a killed machine leaves empty files) or written (a full disk) is
    compiled again, which is slower and never wrong. One process writes at a time: numba's index of a kernel could name
    one process's code for the arguments of another's.
    """
    from numba.core import caching

    class Locator(caching.UserProvidedCacheLocator):  # type: ignore[misc]
        def get_cache_path(self) -> str:
            return str(folder)

        @classmethod
        def from_function(cls, function: Any, file: str) -> Any:
            return cls(function, file)

    class Place(caching.CompileResultCacheImpl):  # type: ignore[misc]
        _locator_classes = (Locator,)

    class KeptCode(caching.FunctionCache):  # type: ignore[misc]
        _impl_class = Place

        def load_overload(self, signature: Any, target: Any) -> Any:
            try:
                kept = super().load_overload(signature, target)
            except Exception:  # whatever damaged bytes raise while they are unpickled
                with contextlib.suppress(OSError), _alone_in(folder):
                    self.flush()  # numba reads the index before it writes a new one
                kept = None
            if kept is None:
                for told in _listeners:
                    told()
            return kept

        def save_overload(self, signature: Any, code: Any) -> None:
            with contextlib.suppress(OSError), _alone_in(folder):
                super().save_overload(signature, code)

    return KeptCode


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
