"""Multi-label classification of museum objects: HOG, visual attention and an order-free RNN."""

__version__ = "0.1.0"
