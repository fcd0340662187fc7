// Steps of RTNeural's layers, whose sizes are fixed when they are compiled: one for each size of
// workloads/step.json. Reads lines "cell T B I H mode variant" and prints one JSON object for each, as
// onednn_bench does; `--check` compares a layer of each cell with its equations. RTNeural computes with
// Eigen or xsimd: build_native.sh builds a program for each, and defines RTNEURAL_VERSION.
#include <RTNeural.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

using Matrix = std::vector<std::vector<float>>;

static float uniform() {  // -1 to 1
  static uint32_t state = 1;
  state = state * 1664525u + 1013904223u;
  return (state >> 8) / 8388608.0f - 1;
}

static Matrix matrix(size_t rows, size_t columns, float scale) {
  Matrix m(rows, std::vector<float>(columns));
  for (auto& row : m) for (auto& value : row) value = uniform() * scale;
  return m;
}

// Weights as Keras has them: W [I, G H], U [H, G H]; gates z, r, c with two biases, or i, f, g, o.
struct Weights {
  Matrix w, u, b;
  Weights(int inputs, int hidden, int gates, int biases)
      : w(matrix(inputs, gates * hidden, 1 / std::sqrt((float)hidden))),
        u(matrix(hidden, gates * hidden, 1 / std::sqrt((float)hidden))),
        b(matrix(biases, gates * hidden, 1 / std::sqrt((float)hidden))) {}
};

// A model of one layer. The GRU takes both rows of biases, the LSTM one.
template <class Layer>
struct Model {
  RTNeural::ModelT<float, Layer::in_size, Layer::out_size, Layer> model;
  explicit Model(const Weights& weights) {
    auto& layer = model.template get<0>();
    layer.setWVals(weights.w);
    layer.setUVals(weights.u);
    if constexpr (std::is_invocable_v<decltype(&Layer::setBVals), Layer&, const Matrix&>) {
      layer.setBVals(weights.b);
    } else {
      layer.setBVals(weights.b[0]);
    }
    model.reset();
  }
};
template <int I, int H>
using Gru = Model<RTNeural::GRULayerT<float, I, H>>;
template <int I, int H>
using Lstm = Model<RTNeural::LSTMLayerT<float, I, H>>;

static double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Seconds of one call: median, least and 90 % of samples of 5 us and more, after a tenth of a second's warm-up.
template <class Step>
static std::string timed(const Step& step) {
  const double warm = now();
  long calls = 0;
  while (now() - warm < 0.1) { step(); calls += 1; }
  const double one = (now() - warm) / calls;
  const int inner = one < 5e-6 ? (int)(5e-6 / one) + 1 : 1;
  std::vector<double> samples;
  const double first = now();
  while (samples.size() < 20 || now() - first < 0.3) {
    const double start = now();
    for (int i = 0; i < inner; ++i) step();
    samples.push_back((now() - start) / inner);
  }
  std::sort(samples.begin(), samples.end());
  const size_t n = samples.size();
  char line[200];
  snprintf(line, sizeof line, "{\"median\":%.9g,\"min\":%.9g,\"p90\":%.9g,\"n\":%zu,\"inner\":%d,"
           "\"version\":\"RTNeural " RTNEURAL_VERSION "\"}", samples[n / 2], samples[0], samples[n * 9 / 10], n, inner);
  return line;
}

template <class Layer, int I>
static std::string run(const Weights& weights) {
  const auto layer = std::make_unique<Layer>(weights);  // too large for the stack
  alignas(64) float input[I > 16 ? I : 16];
  for (int i = 0; i < I; ++i) input[i] = uniform();
  return timed([&] {
    layer->model.forward(input);
    asm volatile("" ::: "memory");
  });
}

template <int I, int H>
static std::string run(const std::string& cell) {
  return cell == "gru" ? run<Gru<I, H>, I>(Weights(I, H, 3, 2)) : run<Lstm<I, H>, I>(Weights(I, H, 4, 1));
}

static std::string answer(const std::string& cell, int inputs, int hidden) {
  if (cell != "gru" && cell != "lstm") return "{\"error\":\"RTNeural has no such cell\"}";
#define SIZE(I, H) if (inputs == I && hidden == H) return run<I, H>(cell)
  SIZE(1, 8);
  SIZE(1, 32);
  SIZE(40, 40);
  SIZE(64, 64);
  SIZE(128, 128);
  SIZE(256, 256);
  SIZE(512, 512);
  return "{\"error\":\"not one of the sizes that were compiled\"}";
}

static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// The largest difference to the equations, in double, over six steps.
template <class Layer>
static double error_of(bool is_gru) {
  constexpr int I = 7, H = 19;
  const int gates = is_gru ? 3 : 4;
  const Weights weights(I, H, gates, is_gru ? 2 : 1);
  const auto layer = std::make_unique<Layer>(weights);
  std::vector<double> h(H), c(H);
  double worst = 0;
  for (int t = 0; t < 6; ++t) {
    alignas(64) float input[16] = {};
    for (int i = 0; i < I; ++i) input[i] = uniform();
    std::vector<double> x(gates * H), y(gates * H);
    for (int j = 0; j < gates * H; ++j) {
      x[j] = weights.b[0][j];
      y[j] = is_gru ? weights.b[1][j] : 0;
      for (int i = 0; i < I; ++i) x[j] += (double)input[i] * weights.w[i][j];
      for (int i = 0; i < H; ++i) y[j] += h[i] * weights.u[i][j];
    }
    for (int j = 0; j < H; ++j) {
      if (is_gru) {
        const double z = sigmoid(x[j] + y[j]), r = sigmoid(x[H + j] + y[H + j]);
        h[j] = z * h[j] + (1 - z) * std::tanh(x[2 * H + j] + r * y[2 * H + j]);
      } else {
        const double i = sigmoid(x[j] + y[j]), f = sigmoid(x[H + j] + y[H + j]);
        c[j] = f * c[j] + i * std::tanh(x[2 * H + j] + y[2 * H + j]);
        h[j] = sigmoid(x[3 * H + j] + y[3 * H + j]) * std::tanh(c[j]);
      }
    }
    layer->model.forward(input);
    for (int j = 0; j < H; ++j) worst = std::max(worst, std::abs(layer->model.getOutputs()[j] - h[j]));
  }
  return worst;
}

int main(int count, char** arguments) {
  if (count > 1 && !strcmp(arguments[1], "--check")) {
    printf("{\"check\":\"gru\",\"max_abs_err\":%.2e}\n", error_of<Gru<7, 19>>(true));
    printf("{\"check\":\"lstm\",\"max_abs_err\":%.2e}\n", error_of<Lstm<7, 19>>(false));
    return 0;
  }
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream fields(line);
    std::string cell, mode, variant;
    int steps, batch, inputs, hidden;
    if (!(fields >> cell >> steps >> batch >> inputs >> hidden >> mode >> variant)) continue;
    puts(mode == "step" && batch == 1 ? answer(cell, inputs, hidden).c_str()
                                      : "{\"error\":\"RTNeural runs steps of one sequence\"}");
    fflush(stdout);
  }
}
