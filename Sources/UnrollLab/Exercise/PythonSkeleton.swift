// The skeleton for NumPy. Functions without a body yet are skipped by name when it runs.

enum PythonSkeleton {
  static let text = #"""
    """Recurrent networks by hand. Fill in the functions, run this file, then: unroll lab check .

    The tasks, equations, names and shapes are in README.md. Functions that are not written yet are skipped.
    """
    import os

    import numpy as np


    def sigmoid(a):
        return 1 / (1 + np.exp(-a))


    # Task 1

    def rnn(wt_h, wt_x, bias, init_state, input_data):
        """A basic RNN. init_state [B, H], input_data [B, T, D]. Returns outputs [B, T, H] and the final state [B, H]."""
        raise NotImplementedError


    def gru(wtu_h, wtu_x, biasu, wtr_h, wtr_x, biasr, wtc_h, wtc_x, biasc, init_state, input_data):
        """A GRU: update gate u, reset gate r, candidate c. Returns outputs [B, T, H] and the final state [B, H]."""
        raise NotImplementedError


    def lstm(kernel, bias, init_state, input_data):
        """An LSTM; no points. h and c start at init_state. Returns outputs [B, T, H] and the final h [B, H]."""
        raise NotImplementedError


    # Task 2

    def gru_that_is_the_rnn(wt_h, wt_x, bias):
        """Weights of a GRU whose outputs are the RNN's: a dict of nine arrays, wtu_h, wtu_x, biasu, wtr_h ... biasc."""
        raise NotImplementedError


    # Task 3

    def distances(zero, rand1, rand2, hundred, step):
        """Six distances between runs at a step. The runs are outputs [B, T, H]. Returns [6, B]."""
        raise NotImplementedError


    # Task 4

    def gru_that_keeps(input_size, hidden_size):
        """Weights of a GRU that keeps its initial state: a dict of nine arrays."""
        raise NotImplementedError


    # Task 5

    def gradient_norms(wt_h, wt_x, bias, init_state, input_data, step):
        """The norm of the gradient of sum(h at step) with respect to init_state, for each sequence: [B]."""
        raise NotImplementedError


    # Task 6

    def gru_whose_gradient_survives(input_size, hidden_size):
        """Weights of a GRU whose gradient neither vanishes nor explodes: a dict of nine arrays."""
        raise NotImplementedError


    # From here on nothing is left to do: the answers are computed and written.

    def load(folder, name):
        with np.load(os.path.join(folder, name)) as archive:
            return {key: archive[key].astype(np.float64) for key in archive.files}


    def answer_task1(toy, large):
        state, inputs = toy["initial_state"], toy["inputs"]
        gru_names = ["wtu_h", "wtu_x", "biasu", "wtr_h", "wtr_x", "biasr", "wtc_h", "wtc_x", "biasc"]
        cells = {
            "rnn": lambda: rnn(toy["wt_h"], toy["wt_x"], toy["bias"], state, inputs),
            "gru": lambda: gru(*[toy[name] for name in gru_names], state, inputs),
            "lstm": lambda: lstm(toy["lstm_kernel"], toy["lstm_bias"], state, inputs),
        }
        answer = {}
        for name, run in cells.items():
            try:
                answer[name + "_outputs"], answer[name + "_final_state"] = run()
            except NotImplementedError:
                print("task1: %s is not written yet" % name)
        if not answer:
            raise NotImplementedError
        return answer


    def answer_task2(toy, large):
        return gru_that_is_the_rnn(toy["wt_h"], toy["wt_x"], toy["bias"])


    def answer_task3(toy, large):
        starts = [large["initial_state"], large["init_rand1"], large["init_rand2"], 100 * large["init_rand1"]]
        runs = [rnn(large["wt_h"], large["wt_x"], large["bias"], start, large["inputs"])[0] for start in starts]
        return {"distances": np.stack([distances(*runs, step) for step in (10, 20, 30)])}


    def answer_task4(toy, large):
        return gru_that_keeps(large["inputs"].shape[2], large["initial_state"].shape[1])


    def answer_task5(toy, large):
        weights = [large["task5_" + name] for name in ("wt_h", "wt_x", "bias")]
        return {"gradient_norms": gradient_norms(*weights, large["initial_state"], large["inputs"], 30)}


    def answer_task6(toy, large):
        return gru_whose_gradient_survives(large["inputs"].shape[2], large["initial_state"].shape[1])


    def main(folder=os.path.dirname(os.path.abspath(__file__))):
        toy, large = load(folder, "toy.npz"), load(folder, "large.npz")
        os.makedirs(os.path.join(folder, "answers"), exist_ok=True)
        tasks = [answer_task1, answer_task2, answer_task3, answer_task4, answer_task5, answer_task6]
        for number, task in enumerate(tasks, 1):
            try:
                arrays = task(toy, large)
            except NotImplementedError:
                print("task%d: not written yet" % number)
                continue
            np.savez(os.path.join(folder, "answers", "task%d.npz" % number), **arrays)
            print("task%d: answers/task%d.npz" % (number, number))


    if __name__ == "__main__":
        main()

    """#
}
