"""Trees where only a child's place tells how good it is: their shape, what they promise, and what they would have made of
a text (Chen et al. 2024, Sequoia). p[k] is the probability that the text goes on to the k-th child (0 the first) of a node
that it passes through, the same everywhere.

A topology is a list of nodes, the root first; each is {order of a child: its index}.

>>> PAPER = [.7732, .1039, .0402, .0206, .0128, .0081, .0064, .0043, .0035, .0026, .0025, .0021]  # Llama-3-70B/8B, CNN
>>> [round(promise(best_tree(PAPER, n), PAPER), 4) for n in (1, 2, 3, 8, 16, 64)]
[1.0, 1.7732, 2.371, 3.8459, 4.5376, 5.9166]
>>> round(promise(best_tree(PAPER, 16, max_depth=3), PAPER), 4)  # four levels, the root's included
3.4587
>>> promise(chains(1, 3), [0.5]), promise(chains(2, 2), [0.5, 0.25])  # 1 + 1/2 + 1/4 + 1/8; 1 + 3/4 (1 + 1/2)
(1.875, 2.125)
>>> replay(chains(1, 3), [(0, 0)] * 8)  # four tokens a round
(8, 2, 0)
>>> replay(chains(2, 2), [(1, 1), (0, 0), (2, None), (0, 0)])  # "1 0" and a token after it, then "0" and the end
(4, 2, 0)
>>> replay(chains(2, 2), [(1, None), (1, None)])  # nobody knows whether the second child was right
(2, 2, 2)
>>> frequencies([(0, 0), (0, 0), (1, 1), (2, None)], 3)  # of the third child one place says nothing
[0.5, 0.25, 0.0]
"""
import heapq


def best_tree(p, num_nodes, max_depth=None):
    """The most promising topology of `num_nodes`, and no more than the limits allow. Best first: of p that falls with the
    order, the n likeliest nodes are one tree."""
    topology = [{}]
    offered = [(-p[0], 1, 0, 0)] if p else []  # (score, depth, parent, order)
    while offered and len(topology) < num_nodes:
        score, depth, parent, order = heapq.heappop(offered)
        if order + 1 < len(p) and p[order] > 0:
            heapq.heappush(offered, (score / p[order] * p[order + 1], depth, parent, order + 1))
        if (max_depth is not None and depth > max_depth) or score == 0:
            continue
        topology[parent][order] = len(topology)
        heapq.heappush(offered, (score * p[0], depth + 1, len(topology), 0))
        topology.append({})
    return topology


def chains(num_chains, length):
    """Chains that begin at the root with its first, second, ... child and go on with first children."""
    topology = [{}]
    for order in range(num_chains):
        parent, place = 0, order
        for _ in range(length):
            topology[parent][place] = len(topology)
            parent, place = len(topology), 0
            topology.append({})
    return topology


def promise(topology, p):
    """Expected tokens of a round: the sum of the nodes' scores, the root's 1 being the token that the target adds."""
    scores = [0.0] * len(topology)
    scores[0] = 1.0
    for node, children in enumerate(topology):
        for order, child in children.items():
            scores[child] = scores[node] * (p[order] if order < len(p) else 0.0)
    return sum(scores)


def replay(topology, ranks):
    """(tokens, rounds, places where the topology asks for more than is known) if a text had been written with it.
    ranks[i] of token i among the drafter's guesses there: (at least, exactly), the latter None where it is not known."""
    place = num_rounds = num_unknown = 0
    while place < len(ranks):
        node = 0
        while place < len(ranks) and topology[node]:
            at_least, rank = ranks[place]
            if rank is None and max(topology[node]) >= at_least:
                num_unknown += 1
            if rank is None or rank not in topology[node]:
                break
            node = topology[node][rank]
            place += 1
        place += 1
        num_rounds += 1
    return len(ranks), num_rounds, num_unknown


def frequencies(ranks, num_orders):
    """p, from the places where it is known whether the child of that order was right; never growing with the order."""
    p = []
    for order in range(num_orders):
        known = [rank == order for at_least, rank in ranks if rank is not None or at_least > order]
        p.append(sum(known) / len(known) if known else 0.0)
    return isotonic(p)


def isotonic(values):
    """The nearest list that never grows (pool adjacent violators).

    >>> isotonic([3, 1, 2, 0])
    [3.0, 1.5, 1.5, 0.0]
    """
    blocks = []  # [sum, count]
    for value in values:
        blocks.append([value, 1])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] < blocks[-1][0] * blocks[-2][1]:
            total, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += count
    return [total / count for total, count in blocks for _ in range(count)]
