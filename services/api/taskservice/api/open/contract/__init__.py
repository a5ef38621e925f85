"""What the OpenAPI document says: one table by `operationId`, and how it becomes the document.

Handlers read their parameters by hand, so that every fault is told at once; the framework can't know them. Method,
path and the role that is needed come from the routes, schemas of answers from the view structs, schemas of requests
from the domain's own checks; the words come from here.

::

    operation    what is said of one operation
    parameters   query, header and path parameters, the shared ones among them
    headers      what answers carry
    problems     which errors, with examples
    definitions, instances, scheduler, commands, service      the operations, one file a resource
    request_schemas   bodies of requests, made of the domain's members
    view_schemas      bodies of answers, made of the view structs; `members` says what each member means
    document     all of it as OpenAPI 3.1
"""
