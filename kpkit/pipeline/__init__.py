"""From documents to artefacts: the graph, the plan, the in-process executor."""
