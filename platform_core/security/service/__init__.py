"""The use cases: each is a function of a `Security`, and opens its transactions itself.

Whoever calls has decided whether it is allowed (`engine.require`); here is what must hold whoever asks.
"""
