#!/usr/bin/env python3
"""Makes a table for the hash router from the token embeddings of a trained model (Roller et al. 2021).

    tools/cluster_table.py results/NAME/runs/RUN/checkpoint.safetensors --experts 4 --kind clustered > table.txt

Tokens are clustered by k-means on their embeddings. `clustered` sends a cluster to one expert, `dispersed` deals the tokens
of each cluster out over all experts, so that similar tokens part. Line n + 1 of the output is the expert of id n; a sweep
uses it by {"router": "hash", "table": "file", "table_file": "table.txt"}. Needs NumPy.
"""

import argparse
import json
import struct
import sys

import numpy as np


def read_tensor(path, name):
    """A float32 tensor of a safetensors file."""
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
        if name not in header or header[name]["dtype"] != "F32":
            sys.exit(f"cluster_table: {path} has no float32 tensor \"{name}\".")
        start, end = header[name]["data_offsets"]
        file.seek(8 + size + start)
        return np.frombuffer(file.read(end - start), np.float32).reshape(header[name]["shape"])


def cluster(points, count, seed, rounds=100):
    """k-means: the cluster of each point. First centres are spread out (k-means++); a cluster without points is moved to the
    point farthest from its centre."""
    generator = np.random.default_rng(seed)
    centres = points[generator.integers(len(points), size=1)]
    for _ in range(count - 1):
        nearest = distances(points, centres).min(1)
        chance = nearest / nearest.sum() if nearest.sum() > 0 else None
        centres = np.concatenate([centres, points[generator.choice(len(points), 1, p=chance)]])
    members = None
    for _ in range(rounds):
        table = distances(points, centres)
        assigned = table.argmin(1)
        if members is not None and (assigned == members).all():
            break
        members = assigned
        for c in range(count):
            mine = points[members == c]
            centres[c] = mine.mean(0) if len(mine) else points[table.min(1).argmax()]
    return members


def distances(points, centres):
    """Squared distances [points, centres]."""
    table = (points**2).sum(1)[:, None] - 2 * points @ centres.T + (centres**2).sum(1)[None]
    return table.clip(0)


def dispersed(members, experts):
    """Deals the tokens of one cluster after the other to the experts in turn."""
    table = np.empty(len(members), int)
    table[np.argsort(members, kind="stable")] = np.arange(len(members)) % experts
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkpoint", help="checkpoint.safetensors of a run whose vocabulary the table is for")
    parser.add_argument("--experts", type=int, default=4)
    parser.add_argument("--kind", choices=["clustered", "dispersed"], default="clustered")
    parser.add_argument("--clusters", type=int, help="of dispersed (default: a cluster for every `experts` tokens)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    embedding = read_tensor(arguments.checkpoint, "model.embedding").astype(np.float64)
    if arguments.kind == "clustered":
        table = cluster(embedding, arguments.experts, arguments.seed)
    else:
        clusters = arguments.clusters or max(1, len(embedding) // arguments.experts)
        table = dispersed(cluster(embedding, clusters, arguments.seed), arguments.experts)
    print("\n".join(str(expert) for expert in table))


if __name__ == "__main__":
    main()
