"""The five boards, in the order of the flow."""

from pipelines.dashboards.boards import annotation, fleet, quality, serving, training
from pipelines.dashboards.records import Board

BOARDS: tuple[Board, ...] = (annotation.BOARD, quality.BOARD, training.BOARD, serving.BOARD, fleet.BOARD)
