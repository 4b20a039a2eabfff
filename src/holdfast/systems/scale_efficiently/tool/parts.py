"""The shared parts that studies of shapes are made of, under this system's name."""

from holdfast.data.span_corruption import SpanCorruption as SpanCorruption
from holdfast.data.span_corruption import span_corruption_lengths as span_corruption_lengths
from holdfast.metrics.pareto import hypervolume as hypervolume
from holdfast.metrics.pareto import pareto as pareto
