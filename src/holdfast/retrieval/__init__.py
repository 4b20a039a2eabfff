"""Search in galleries of vectors, and what it is worth: distances, neighbours, CMC, mean average precision, FAISS."""

from holdfast.retrieval.ranking import cmc as cmc
from holdfast.retrieval.ranking import mean_average_precision as mean_average_precision
from holdfast.retrieval.search import check_directions as check_directions
from holdfast.retrieval.search import distances as distances
from holdfast.retrieval.search import neighbours as neighbours
from holdfast.retrieval.search import of_length_one as of_length_one
from holdfast.retrieval.search import recall_at_k as recall_at_k
