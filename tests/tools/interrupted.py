"""For tests of training runs that SIGINT ends: how they are ended, and what they must have said and left."""
import json
import os
import signal
import subprocess

import numpy as np

tool = os.path.realpath(os.environ["BUILD"] + "/tools/interrupt.so")


def load(path):
    """{name: values} of a safetensors file of floats, whose tensors fill it."""
    with open(path, "rb") as f:
        raw = f.read()
    start, tensors = 8 + int.from_bytes(raw[:8], "little"), {}
    for name, t in json.loads(raw[8:start]).items():
        if name != "__metadata__":
            assert t["dtype"] == "F32", (path, name, t)
            begin, end = t["data_offsets"]
            tensors[name] = np.frombuffer(raw[start + begin:start + end], "<f4").reshape(t["shape"])
    assert start + sum(t.nbytes for t in tensors.values()) == len(raw), path
    return tensors


def at_step(step, command, environment):
    """(exit status, standard error) of a run that gets SIGINT in this step. Sanitizers bear nothing preloaded: a signal from outside, in
    the second epoch or later."""
    sanitized = "NS_SANITIZED" in os.environ
    more = {} if sanitized else {"LD_PRELOAD": tool, "INTERRUPT_AT": str(step)}
    assert sanitized or os.path.exists(tool), tool
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**environment, **more})
    while sanitized and not run.stdout.readline().startswith("    1"):
        pass
    if sanitized:
        run.send_signal(signal.SIGINT)
    said = run.communicate()[1]
    return run.returncode, said


def check(folder, status, said, steps):
    """What the run was stopped at, as train.json tells it: its state is there, alone, and whole."""
    assert status == 4, (status, said)
    with open(f"{folder}/train.json") as f:
        run = json.load(f)
    step = run["step"]
    assert 0 < step < steps and said == f"normscope train: {folder}: stopped after step {step} of {steps}; --resume goes on\n", (step, said)
    assert run["state"] == f"state-{step:09}.safetensors", run["state"]
    assert [name for name in os.listdir(folder) if name.startswith("state-")] == [run["state"]], os.listdir(folder)
    state, model = load(f"{folder}/{run['state']}"), load(f"{folder}/model.safetensors")
    learned = [name for name in model if "running_" not in name]
    wanted = {*model, *(mean + name for name in learned for mean in ("m.", "v.")), "records.steps", "records.watch"}
    assert set(state) == wanted, set(state) ^ wanted
    assert state["records.steps"].shape == (step, 4) and len(state["records.watch"]) == len(run["watched_steps"])
    assert all(np.isfinite(values).all() for name, values in state.items() if name != "records.watch")
    return run
