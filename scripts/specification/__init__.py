"""How the specification comes to be, from official wheels to ``openapi/`` and the bindings.

    wheels       fetch a release, check its hash, hand out its source texts
    source       parse the texts; follow a name to where it is defined
    annotations  a type annotation becomes a JSON schema
    fields       what a field's right-hand side says: need, default, name
    schemas      a class or an alias becomes a named component
    calls        HTTP calls with an ``/api/`` path written out
    headers      header names and content types around a call
    bodies       what a call sends, by content type
    operations   all calls of one method and path become an operation
    normalize    names for bodies, enumerations and maps that have none
    reconstruct  all of it together: the document as the wheel tells it
    overlay      what people know and the wheel does not say
    merging      one schema from its forms in several releases
    union        one document from the contracts of several releases
    reading      the tolerant form of a contract, for reading any server's answers
    differing    what differs between two schemas, and how much that matters
    changes      what differs between two contracts
    changelog    the changes between kept releases, as a document
    evidence     what is certain, inferred and contradicted, as a document
    downgrade    the specification in OpenAPI 3.0
    watching     which releases the package index has
    documents    writing and reading documents, always in the same form
    build        the order of the steps above; the lock file
    bindings     from the specification to the package ``tinker_api``

The wheel's code is read, never run: everything here works on syntax trees.
"""
