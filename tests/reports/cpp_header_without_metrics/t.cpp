#include "m.hpp"
int main() { return 0; }
