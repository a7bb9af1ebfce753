"""Prints, as JSON, the GPUs that CUDA and EGL see here, and which EGL device is which CUDA device.

Run as a bare script under any Python 3.9, in the container or environment that will render: only there are the
numbers right. It asks the driver's libraries through ctypes and imports nothing else.

``{"cuda": [{"index": 0, "uuid": "GPU-..."}], "egl": [{"index": 0, "cuda": 0}, {"index": 1, "cuda": null}],
"errors": []}``
"""

from __future__ import annotations

import ctypes
import json
import uuid as uuids
from typing import Any, Dict, List

CUDA_LIBRARY = "libcuda.so.1"
EGL_LIBRARY = "libEGL.so.1"
EGL_CUDA_DEVICE_NV = 0x323A
MAX_DEVICES = 64


def cuda_devices() -> List[Dict[str, Any]]:
    """Return index and UUID of each GPU that CUDA sees, in CUDA's order."""
    cuda = ctypes.CDLL(CUDA_LIBRARY)
    _succeed(cuda.cuInit(0), "cuInit")
    count = ctypes.c_int()
    _succeed(cuda.cuDeviceGetCount(ctypes.byref(count)), "cuDeviceGetCount")
    devices = []
    for index in range(count.value):
        device, name = ctypes.c_int(), (ctypes.c_ubyte * 16)()
        _succeed(cuda.cuDeviceGet(ctypes.byref(device), index), "cuDeviceGet")
        get_uuid = getattr(cuda, "cuDeviceGetUuid_v2", cuda.cuDeviceGetUuid)
        _succeed(get_uuid(ctypes.byref(name), device), "cuDeviceGetUuid")
        devices.append({"index": index, "uuid": f"GPU-{uuids.UUID(bytes=bytes(name))}"})
    return devices


def egl_devices() -> List[Dict[str, Any]]:
    """Return each EGL device in EGL's order, with the CUDA index that the driver gives it (None for no GPU)."""
    egl = ctypes.CDLL(EGL_LIBRARY)
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    egl.eglGetProcAddress.argtypes = [ctypes.c_char_p]
    query_devices = _function(
        egl, b"eglQueryDevicesEXT", ctypes.c_int, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_int)
    )
    query_attribute = _function(
        egl, b"eglQueryDeviceAttribEXT", ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_ssize_t)
    )
    found, count = (ctypes.c_void_p * MAX_DEVICES)(), ctypes.c_int()
    if not query_devices(MAX_DEVICES, found, ctypes.byref(count)):
        raise OSError("eglQueryDevicesEXT failed")
    devices = []
    for index in range(count.value):
        value = ctypes.c_ssize_t()
        known = query_attribute(found[index], EGL_CUDA_DEVICE_NV, ctypes.byref(value))
        devices.append({"index": index, "cuda": int(value.value) if known else None})
    return devices


def main() -> None:
    """Print what is seen; a library that is missing or fails leaves its list empty and says so under errors."""
    answer: Dict[str, Any] = {"cuda": [], "egl": [], "errors": []}
    for name, query in (("cuda", cuda_devices), ("egl", egl_devices)):
        try:
            answer[name] = query()
        except (OSError, AttributeError) as error:
            answer["errors"].append(f"{name}: {error}")
    print(json.dumps(answer))


def _succeed(status: int, call: str) -> None:
    if status != 0:
        raise OSError(f"{call} returned {status}")


def _function(egl: ctypes.CDLL, name: bytes, *arguments: Any) -> Any:
    address = egl.eglGetProcAddress(name)
    if not address:
        raise OSError(f"{name.decode()} is not offered")
    return ctypes.CFUNCTYPE(ctypes.c_uint, *arguments)(address)


if __name__ == "__main__":
    main()
