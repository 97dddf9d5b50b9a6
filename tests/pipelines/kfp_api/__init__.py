"""A small server that speaks KFP's v2beta1 HTTP API: the paths, names, shapes and error bodies of its OpenAPI."""
