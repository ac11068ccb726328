"""What the processes that prepare batches have in common."""

import atexit
import multiprocessing
import os
import signal

from training.workers import begin_worker


def be_a_worker_whose_libraries_abort() -> None:
    atexit.register(os.abort)
    begin_worker(0)
    os.kill(os.getpid(), signal.SIGINT)


def test_a_worker_outlives_ctrl_c_and_ends_well_whatever_happens_when_its_libraries_are_unloaded() -> None:
    process = multiprocessing.get_context("spawn").Process(target=be_a_worker_whose_libraries_abort)
    process.start()
    process.join()
    assert process.exitcode == 0
