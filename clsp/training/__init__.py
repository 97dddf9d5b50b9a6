"""Both stages of training: the task schedule, the loop, checkpoints, and the launch of its workers."""

from clsp.training.schedule import task_probability

__all__ = ["task_probability"]
