"""The C API from Python's ctypes: python3 session_ctypes.py libtarn.so. Trains a line, predicts, and sees an error."""
import ctypes as c
import sys

MODEL = b"""model line {
  input  x[1]
  output y = x |> dense(1)
}
train {
  target t[1]
  loss      mean_squared_error(y, t)
  optimizer sgd(lr = 0.1)
  batch     4
}
"""
F32 = 0


class View(c.Structure):
    _fields_ = [("data", c.c_void_p), ("shape", c.POINTER(c.c_int64)), ("strides", c.POINTER(c.c_int64)),
                ("rank", c.c_size_t), ("dtype", c.c_int32)]


class Array(c.Structure):
    _fields_ = [("name", c.c_char_p), ("view", View)]


class Output(c.Structure):
    _fields_ = [("name", c.c_char_p), ("data", c.c_void_p), ("bytes", c.c_size_t), ("dtype", c.c_int32)]


class Epoch(c.Structure):
    _fields_ = [("epoch", c.c_int64), ("epochs", c.c_int64), ("seconds", c.c_double), ("values", c.POINTER(c.c_double)),
                ("validation", c.POINTER(c.c_double)), ("value_count", c.c_size_t)]


OnEpoch = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(Epoch))


class FitOptions(c.Structure):
    _fields_ = [("size", c.c_size_t), ("epochs", c.c_int64), ("until_epoch", c.c_int64), ("keep_order", c.c_int),
                ("validation", c.POINTER(Array)), ("validation_count", c.c_size_t), ("on_epoch", OnEpoch),
                ("context", c.c_void_p)]


tarn = c.CDLL(sys.argv[1])
tarn.tarn_error_message.restype = c.c_char_p


def check(status):
    if status != 0:
        sys.exit(tarn.tarn_error_message().decode())


def array(name, values):
    return Array(name, View(c.cast(values, c.c_void_p), (c.c_int64 * 1)(len(values)), None, 1, F32))


model, session = c.c_void_p(), c.c_void_p()
check(tarn.tarn_compile_text(b"line.tarn", MODEL, c.c_size_t(len(MODEL)), None, c.byref(model)))
check(tarn.tarn_session_create(model, None, c.byref(session)))

x, t = (c.c_float * 4)(0, 1, 2, 3), (c.c_float * 4)(1, 3, 5, 7)
losses = []


@OnEpoch
def on_epoch(context, epoch):
    losses.append(epoch.contents.values[0])
    return losses[-1] > 1e-9


options = FitOptions(size=c.sizeof(FitOptions), epochs=5000, on_epoch=on_epoch)
check(tarn.tarn_session_fit(session, (Array * 2)(array(b"x", x), array(b"t", t)), c.c_size_t(2), c.byref(options), None))
assert 10 < len(losses) < 5000 and losses[-1] <= 1e-9, losses[-5:]

y = (c.c_float * 4)()
output = Output(b"y", c.cast(y, c.c_void_p), c.sizeof(y), F32)
check(tarn.tarn_session_predict(session, c.byref(array(b"x", x)), c.c_size_t(1), c.byref(output), c.c_size_t(1)))
# y = 2 x + 1 as the data have it; a loss of 1e-9 is errors of 3e-5.
assert all(abs(found - wanted) < 2e-4 for found, wanted in zip(y, t)), list(y)

assert tarn.tarn_session_predict(session, None, c.c_size_t(0), c.byref(output), c.c_size_t(1)) == 1
assert b"no array for 'x'" in tarn.tarn_error_message()
tarn.tarn_session_free(session)
tarn.tarn_model_free(model)
print("trained in", len(losses), "epochs")
