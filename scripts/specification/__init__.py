"""How the specification comes to be, from an official wheel to ``openapi/tinker.yaml``.

    wheels       fetch a release, check its hash, hand out its source texts
    source       parse the texts; follow a name to where it is defined
    annotations  a type annotation becomes a JSON schema
    schemas      a class or an alias becomes a named component
    operations   a call with an ``/api/`` path becomes an operation
    reconstruct  all of it together: the document as the wheel tells it
    overlay      what people know and the wheel does not say
    reading      the tolerant form of a contract, for reading any server's answers
    documents    writing and reading documents, always in the same form
    build        the order of the steps above; the lock file
    bindings     from the specification to the package ``tinker_api``

The wheel's code is read, never run: everything here works on syntax trees.
"""
