"""A harness to be killed: starts one service, says where it is, and waits."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from harness.runtimes.process import start_process
from harness.runtimes.service import ServiceLimits, ServiceSpec

if __name__ == "__main__":
    service = start_process(ServiceSpec(**json.loads(sys.argv[1])), ServiceLimits(), Path(sys.argv[2]))
    print(json.dumps({"pid": service.pid, "folder": str(service.socket.parent)}), flush=True)
    time.sleep(1000)
