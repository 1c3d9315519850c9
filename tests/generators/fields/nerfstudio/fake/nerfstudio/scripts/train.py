"""`ns-train` as far as Scenecast speaks to it."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

BOMB = "!!python/object/apply:os.system ['touch loaded_a_config']\n"
TRANSFORM = [[0.0, -1.0, 0.0, 0.5], [1.0, 0.0, 0.0, -0.25], [0.0, 0.0, 1.0, 2.0]]
SCALE = 0.4


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("method", choices=["nerfacto", "splatfacto"])
    for flag in ("data", "output-dir", "experiment-name", "timestamp", "vis"):
        parser.add_argument(f"--{flag}", required=True)
    parser.add_argument("--max-num-iterations", type=int, required=True)
    parser.add_argument("--machine.seed", dest="seed", type=int, required=True)
    parser.add_argument("--pipeline.model.sh-degree", dest="degree", type=int, default=3)
    parser.add_argument("parser", choices=["nerfstudio-data"])
    options = parser.parse_args()
    assert options.vis == "tensorboard"  # with a viewer it would never end
    mode = os.environ.get("FAKE_NERFSTUDIO", "")
    if mode == "fails":
        print("Traceback (most recent call last):\nRuntimeError: \x1b[31mNo CUDA GPUs are available\x1b[0m", flush=True)
        sys.exit(1)
    if mode == "full":
        print("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.\nSome more words", flush=True)
        sys.exit(1)
    frames = json.loads((Path(options.data) / "transforms.json").read_text())["frames"]
    assert all((Path(options.data) / frame["file_path"]).is_file() for frame in frames)
    assert len({"mask_path" in frame for frame in frames}) == 1  # as its own data parser asserts
    print("Step (% Done)       Train Iter (time)    ETA (time)  Train Rays / Sec")
    if mode == "hangs":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path("pids").write_text(f"{os.getpid()} {child.pid}")
        print("10 (1.00%)          600 s", flush=True)
        time.sleep(600)
    total = options.max_num_iterations
    for step in range(0, total, max(1, total // 5)):
        share = 100 * step / total
        print(f"\x1b[2K{step} ({share:.2f}%)       32.110 ms            321.1160 ms          129.68 K", flush=True)
    folder = Path(options.output_dir) / options.experiment_name / options.method / options.timestamp
    (folder / "nerfstudio_models").mkdir(parents=True)
    (folder / "config.yml").write_text(BOMB)
    told = {"transform": TRANSFORM, "scale": SCALE}
    if mode != "no transforms":
        (folder / "dataparser_transforms.json").write_text(json.dumps(told))
    (folder / "data.json").write_text(
        json.dumps({"data": options.data, "degree": options.degree, "seed": options.seed})
    )
    Path("card").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", ""))


if __name__ == "__main__":
    main()
