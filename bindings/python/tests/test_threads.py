# SPDX-License-Identifier: Apache-2.0
"""Python threads: calls run at the same time, with the same bits and the right messages."""

import os
import threading
import time
import unittest

import numpy as np

import libpeft
from common import Case, batches, images, network, trained_model


def run(functions):
    """Runs functions, each in a thread of its own; returns their results, and raises what one of them raised."""
    results, raised = [None] * len(functions), []

    def call(i, function):
        try:
            results[i] = function()
        except BaseException as e:
            raised.append(e)

    threads = [threading.Thread(target=call, args=item) for item in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]
    return results


class Threads(Case):
    def large(self):
        """A model whose predictions take milliseconds, and images for it."""
        vit = libpeft.Backbone.random(
            context=libpeft.Context(threads=1), image_size=64, patch=8, width=192, depth=6, heads=3, mlp=768, seed=1
        )
        x = np.random.default_rng(0).standard_normal((8, 3, 64, 64)).astype(np.float32)
        return libpeft.Model(vit, classes=3), x

    def test_the_lock_of_the_interpreter_is_released(self):
        """While a thread is in the library, Python goes on in another one."""
        model, x = self.large()
        session, seen, done = libpeft.Session(model, batch=8), [], threading.Event()

        def watch():
            while not done.is_set():
                seen.append(time.perf_counter())
                time.sleep(0.0005)

        def call():
            spans = []
            for _ in range(10):
                begin = time.perf_counter()
                session.logits(x)
                spans.append((begin, time.perf_counter()))
            done.set()
            return spans

        _, spans = run([watch, call])
        within = [any(a + 0.2 * (b - a) < t < b - 0.2 * (b - a) for t in seen) for a, b in spans]
        self.assertGreaterEqual(sum(within), 5)

    def test_two_sessions(self):
        """Two sessions of one model in two threads: the same bits. How much faster than one thread is printed, by the
        least times of several rounds, as other programs may use the CPUs."""
        model, x = self.large()
        sessions, calls = [libpeft.Session(model, batch=8) for _ in range(2)], 2
        expected = sessions[0].logits(x).tobytes()

        def predict(session, n):
            return [session.logits(x).tobytes() == expected for _ in range(n)]

        one, two = [], []
        for _ in range(12):
            begin = time.perf_counter()
            self.assertTrue(all(predict(sessions[0], 2 * calls)))
            one.append(time.perf_counter() - begin)
            begin = time.perf_counter()
            self.assertTrue(all(sum(run([lambda s=s: predict(s, calls) for s in sessions]), [])))
            two.append(time.perf_counter() - begin)
        print(
            f"{2 * calls} calls: {min(one):.3f} s in one thread, {min(two):.3f} s in two, "
            f"{min(one) / min(two):.2f} times as fast ({os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f})",
            flush=True,
        )

    def test_one_session_of_many_threads(self):
        session = libpeft.Session(trained_model(network()), batch=2)
        inputs = [images(7, seed) for seed in range(6)]
        expected = [session.logits(x).tobytes() for x in inputs]
        found = run([lambda x=x: [session.logits(x).tobytes() for _ in range(30)] for x in inputs])
        self.assertEqual(found, [[e] * 30 for e in expected])

    def test_predicting_while_training(self):
        vit = network()
        trainer = libpeft.Trainer(vit, libpeft.Adapter(vit, "lora"), batches(), epochs=40, classes=3, batch=8)
        session, done = libpeft.Session(trainer.model), threading.Event()

        def train():
            trainer.fit()
            done.set()

        def predict():
            n = 0
            while not done.is_set() or not n:
                session.logits(images(2))
                n += 1
            return n

        self.assertGreater(run([train, predict])[1], 0)

    def test_messages_of_threads(self):
        """Each thread gets its own message, although all fail at the same time."""
        vit = network()

        def fail(name):
            for _ in range(200):
                with self.assertRaises(libpeft.NotFoundError) as caught:
                    libpeft.Adapter(vit, name)
                self.assertIn(f"'{name}'", caught.exception.message)

        run([lambda name=name: fail(name) for name in ("apple", "pear", "plum", "fig")])

    def test_closing_while_used(self):
        session = libpeft.Session(trained_model(network()), batch=8)
        started = threading.Event()

        def use():
            started.set()
            try:
                while True:
                    session.logits(images(64))
            except libpeft.StateError:
                return "closed"

        def close():
            started.wait()
            time.sleep(0.01)
            session.close()

        self.assertEqual(run([use, close])[0], "closed")

    def test_default_context(self):
        self.assertEqual(len(set(map(id, run([libpeft.default_context] * 8)))), 1)


if __name__ == "__main__":
    unittest.main()
