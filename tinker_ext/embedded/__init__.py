"""The API on one machine: a small server that really trains, for work without an API key.

The client does not import this package. ``python -m tinker_ext.embedded`` runs the server on its
own (`serve`); `launch.start_embedded` runs it as a child process of the caller.

Packages and modules, outermost first:

* ``routes``: one handler for each operation of the specification
* ``validation``: checks requests against the specification
* ``protobuf``: training data and results as protobuf messages
* ``execution``: request order, threads, results, batches of samples
* ``checkpoints``: files and their names
* ``store``: state that survives a restart, in SQLite
* ``engine``: the model; imports none of the others
"""
