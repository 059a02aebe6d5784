"""The whole API on one machine: a small server that really trains, for work without a key.

Nothing here is imported by the client. ``python -m tinker_ext.embedded`` runs it alone
(`serve`), `launch.start_embedded` runs it as a child process for as long as its owner lives.

The rooms, outermost first:

* ``routes``: one handler for each operation of the specification
* ``validation``: what a request must look like, read from the specification itself
* ``protobuf``: training data and results in their other form
* ``work``: turns, threads, futures, batches of samples
* ``checkpoints``: files and their names
* ``store``: what must survive, in SQLite
* ``engine``: the model; knows nothing of the rest
"""
