#include <stdio.h>
#include "motor.h"
int main(void) { printf("%d\n", MOTOR_WRONG_SIZE); return 0; }
