"""Stores of vectors: npy, parquet and FAISS files read in chunks, and new ones written by jobs that can be resumed."""

from holdfast.data.vectors.rewriting import Rewritten as Rewritten
from holdfast.data.vectors.rewriting import rewrite as rewrite
from holdfast.data.vectors.sampling import sampled as sampled
from holdfast.data.vectors.stores import ArraySource as ArraySource
from holdfast.data.vectors.stores import Chunk as Chunk
from holdfast.data.vectors.stores import NpySource as NpySource
from holdfast.data.vectors.stores import VectorSource as VectorSource
from holdfast.data.vectors.stores import WithSide as WithSide
from holdfast.data.vectors.stores import open_source as open_source
from holdfast.data.vectors.verification import Verified as Verified
from holdfast.data.vectors.verification import rollback as rollback
from holdfast.data.vectors.verification import verify as verify
