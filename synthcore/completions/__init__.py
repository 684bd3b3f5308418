"""Servers of language models: one request and one answer for all of them, retried and kept.

Any model is something with a `name` and `complete`. Here is one that says "yes" or "no", behind a
server on this machine, asked as every other server is, with answers that are kept in a file:

>>> import tempfile
>>> from synthcore.completions.cache import Cached
>>> from synthcore.completions.client import HTTPBackend
>>> from synthcore.completions.loopback import serving
>>> from synthcore.completions.protocol import Completion, Request, ask
>>> class Coin:
...     name = "coin"
...     def complete(self, requests):
...         for i, r in enumerate(requests):
...             yield i, [Completion((" yes", " no")[(r.seed + k) % 2]) for k in range(r.n)]
>>> with serving(Coin()) as url, tempfile.TemporaryDirectory() as folder:
...     backend = Cached(HTTPBackend(url, "coin"), f"{folder}/answers.jsonl")
...     said = ask(backend, Request(("Heads?",), n=3, seed=1))
...     print([completion.text for completion in said], len(backend.answers))
[' no', ' yes', ' no'] 1
"""
