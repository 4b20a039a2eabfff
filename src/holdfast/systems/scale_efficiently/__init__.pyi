from .net import WordModel as WordModel
