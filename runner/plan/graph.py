"""The graph of phases: its order and its cycles. The only module that uses networkx, which takes a while to import."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import networkx


def cycles(sources: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return one shortest cycle of every group of nodes that wait for each other.

    Args:
        sources: The nodes that each node waits for, in the order of the document.

    Returns:
        Cycles in the order of the document; in each, every node waits for the next one and the last for the first.
    """
    import networkx

    graph = _graph(sources)
    rank = {name: index for index, name in enumerate(graph)}
    groups = [group for group in networkx.strongly_connected_components(graph) if _is_cyclic(graph, group)]
    return [
        _shortest_cycle(graph, group, rank)
        for group in sorted(groups, key=lambda group: min(rank[name] for name in group))
    ]


def groups(sources: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Number the groups of nodes that wait for each other; nodes of one group have the same number."""
    import networkx

    components = networkx.strongly_connected_components(_graph(sources))
    return {name: number for number, group in enumerate(components) for name in group}


def points_up(sources: Mapping[str, Iterable[str]]) -> bool:
    """Tell whether all wait for earlier ones only, as most do: then the document is an order, and no graph is made."""
    seen: set[str] = set()
    for name, wanted in sources.items():
        if not seen.issuperset(wanted):
            return False
        seen.add(name)
    return True


def order(sources: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the nodes so that each comes after what it waits for, otherwise in the order of the document.

    Raises:
        ValueError: If nodes wait for each other in a cycle.
    """
    if points_up(sources):
        return list(sources)
    import networkx

    graph = _graph(sources).reverse(copy=False)
    rank = {name: index for index, name in enumerate(sources)}
    try:
        return list(networkx.lexicographical_topological_sort(graph, key=rank.__getitem__))
    except networkx.NetworkXUnfeasible as error:
        raise ValueError("the phases wait for each other in a cycle") from error


def _graph(sources: Mapping[str, Iterable[str]]) -> networkx.DiGraph[str]:
    import networkx

    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_nodes_from(sources)
    graph.add_edges_from((name, source) for name, wanted in sources.items() for source in wanted)
    return graph


def _is_cyclic(graph: networkx.DiGraph[str], group: set[str]) -> bool:
    return len(group) > 1 or any(graph.has_edge(name, name) for name in group)


def _shortest_cycle(graph: networkx.DiGraph[str], group: set[str], rank: Mapping[str, int]) -> list[str]:
    import networkx

    within = graph.subgraph(group)
    start = min(group, key=lambda name: rank[name])
    if within.has_edge(start, start):
        return [start]
    backwards = within.reverse(copy=False)
    distance = networkx.single_source_shortest_path_length(backwards, start)
    following = dict(networkx.bfs_predecessors(backwards, start))
    cycle = [start]
    step = min(within.successors(start), key=lambda name: (distance[name], rank[name]))
    while step != start:
        cycle.append(step)
        step = following[step]
    return cycle
