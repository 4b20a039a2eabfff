"""Runs of a user: read, put on a frontier, drawn; and the parts that studies of shapes are made of."""

from holdfast.data.span_corruption import SpanCorruption as SpanCorruption
from holdfast.data.span_corruption import span_corruption_lengths as span_corruption_lengths
from holdfast.metrics.pareto import hypervolume as hypervolume
from holdfast.metrics.pareto import pareto as pareto
