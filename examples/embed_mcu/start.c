/* The start of a program for qemu's mps2-an386, a Cortex-M4 with 4 MiB of memory for code and 4 MiB for data. Its C
 * library writes and exits by semihosting. */
#include <stdint.h>

extern uint32_t data_source, data_start, data_end, zeros_start, zeros_end, stack_top;
void _start(void);

void reset(void) {
  uint32_t *from = &data_source, *to;
  *(volatile uint32_t*)0xE000ED88 |= 0xFu << 20; /* CPACR: switches the floating-point unit on */
  __asm volatile("dsb\nisb");
  for (to = &data_start; to < &data_end;) *to++ = *from++;
  for (to = &zeros_start; to < &zeros_end;) *to++ = 0;
  _start();
}

static void fault(void) {
  for (;;) continue;
}

__attribute__((section(".vectors"), used)) static const struct {
  uint32_t* stack;
  void (*handlers[15])(void);
} vectors = {&stack_top, {reset, fault, fault, fault, fault, fault}};
