#include <complex.h>
#include "motor.h"
