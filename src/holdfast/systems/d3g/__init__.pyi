from .method import D3GLearner as D3GLearner
