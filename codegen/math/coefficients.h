// Written by tools/derive_polynomials.py; do not edit. Coefficients from the constant term up.
#pragma once

#include <array>
#include <cstdint>

namespace tarn::vector_math_coefficients {

// (e^r - 1 - r - r^2/2) / r^3 on |r| <= ln 2 / 2; error relative to e^r - 1.
// Largest error of the rounded polynomial: 1.50e-08 = 2^-26.0.
inline constexpr std::array<double, 4> kExpm1F32 = {0x1.5554b60000000p-3, 0x1.5555ba0000000p-5, 0x1.1223820000000p-7,
                                                    0x1.6c55780000000p-10};

// (e^r - 1 - r - r^2/2) / r^3 on |r| <= ln 2 / 2; error relative to e^r - 1.
// Largest error of the rounded polynomial: 1.49e-18 = 2^-59.2.
inline constexpr std::array<double, 10> kExpm1F64 = {
    0x1.5555555555559p-3,  0x1.5555555555549p-5,  0x1.111111110f7e2p-7,  0x1.6c16c16c1cd07p-10, 0x1.a01a01af7a31cp-13,
    0x1.a01a0182fe998p-16, 0x1.71ddf946d73b9p-19, 0x1.27e52b328e499p-22, 0x1.af5d394abf117p-26, 0x1.1ef52a3bbf763p-29};

// (sin r - r) / r^3 in z = r^2, |r| <= pi/4; error relative to sin r.
// Largest error of the rounded polynomial: 8.18e-09 = 2^-26.9.
inline constexpr std::array<double, 3> kSinF32 = {-0x1.5555460000000p-3, 0x1.11073a0000000p-7, -0x1.9943880000000p-13};

// (sin r - r) / r^3 in z = r^2, |r| <= pi/4; error relative to sin r.
// Largest error of the rounded polynomial: 1.09e-17 = 2^-56.4.
inline constexpr std::array<double, 6> kSinF64 = {-0x1.5555555555548p-3, 0x1.111111110f7cap-7,   -0x1.a01a019bfd143p-13,
                                                  0x1.71de35670cf38p-19, -0x1.ae5e59f083aa9p-26, 0x1.5d8fa187dc1c0p-33};

// (cos r - 1 + r^2/2) / r^4 in z = r^2, |r| <= pi/4; error relative to cos r.
// Largest error of the rounded polynomial: 1.55e-10 = 2^-32.6.
inline constexpr std::array<double, 3> kCosF32 = {0x1.55554a0000000p-5, -0x1.6c0c320000000p-10, 0x1.99eb4c0000000p-16};

// (cos r - 1 + r^2/2) / r^4 in z = r^2, |r| <= pi/4; error relative to cos r.
// Largest error of the rounded polynomial: 1.13e-18 = 2^-59.6.
inline constexpr std::array<double, 6> kCosF64 = {0x1.555555555554bp-5,  -0x1.6c16c16c14f8ap-10,
                                                  0x1.a01a019c83931p-16, -0x1.27e4f7ea386dbp-22,
                                                  0x1.1ee9d752cd4f3p-29, -0x1.8fa465ea53f2fp-37};

// erf(x)/x - 1 in z = x^2, |x| <= 0.9375; error relative to erf x.
// Largest error of the rounded polynomial: 1.01e-08 = 2^-26.6.
inline constexpr std::array<double, 7> kErfSmallF32 = {
    0x1.06eba80000000p-3, -0x1.8127420000000p-2,  0x1.ce2df40000000p-4, -0x1.b80cb40000000p-6,
    0x1.54b5e40000000p-8, -0x1.a99ef40000000p-11, 0x1.5ac3280000000p-14};

// erf(x)/x - 1 in z = x^2, |x| <= 0.9375; error relative to erf x.
// Largest error of the rounded polynomial: 1.10e-17 = 2^-56.3.
inline constexpr std::array<double, 13> kErfSmallF64 = {
    0x1.06eba8214db69p-3,  -0x1.812746b0379e7p-2,  0x1.ce2f21a042bb1p-4,  -0x1.b82ce3128786fp-6,
    0x1.565bcd0e2d67cp-8,  -0x1.c02db3f199b4dp-11, 0x1.f9a324b569b93p-14, -0x1.f4d21ff03909dp-17,
    0x1.b9e27c67b24cep-20, -0x1.5f3dfbeb08d5ep-23, 0x1.f924806354b86p-27, -0x1.3d79f60086b0fp-30,
    0x1.1463fdd380534p-34};

// (2^r - 1) / r on |r| <= 1/2; error relative to 2^r - 1.
// Largest error of the rounded polynomial: 2.09e-08 = 2^-25.5.
inline constexpr std::array<double, 6> kExp2F32 = {0x1.62e4300000000p-1, 0x1.ebfbde0000000p-3,  0x1.c6af6e0000000p-5,
                                                   0x1.3b2ba00000000p-7, 0x1.5f07dc0000000p-10, 0x1.4309080000000p-13};

// (2^r - 1) / r on |r| <= 1/2; error relative to 2^r - 1.
// Largest error of the rounded polynomial: 4.80e-17 = 2^-54.2.
inline constexpr std::array<double, 12> kExp2F64 = {
    0x1.62e42fefa39efp-1,  0x1.ebfbdff82c58fp-3,  0x1.c6b08d704a0c6p-5,  0x1.3b2ab6fba4e60p-7,
    0x1.5d87fe78a3fd5p-10, 0x1.430912f874187p-13, 0x1.ffcbfc6d93a87p-17, 0x1.62c0221b5c2c3p-20,
    0x1.b524ebfb68fbfp-24, 0x1.e4cfae60abc43p-28, 0x1.e9ebdf49044a4p-32, 0x1.c3bd6ad4388fbp-36};

// (log erfc t) / t on 0.9375 <= t <= 3.95; error of erf t.
// Largest error of the rounded polynomial: 5.77e-09 = 2^-27.4.
inline constexpr std::array<double, 6> kErfLargeF32 = {-0x1.20e5b00000000p+0, -0x1.45812a0000000p-1,
                                                       -0x1.aef9860000000p-4, 0x1.7692100000000p-6,
                                                       -0x1.a43d840000000p-9, 0x1.be83dc0000000p-13};

// (log erfc t) / t on 0.9375 <= t <= 5.95; error of erf t.
// Largest error of the rounded polynomial: 2.16e-17 = 2^-55.4.
inline constexpr std::array<double, 18> kErfLargeF64 = {
    -0x1.20dd74a986843p+0,  -0x1.45f30c134f5bbp-1,  -0x1.a4f47c2405bcfp-4,  0x1.39676160b7cbep-6,
    0x1.ae90f3eb5c8fep-13,  -0x1.b95a1b6f21a19p-10, 0x1.2884bbfc19ce5p-11,  0x1.0fdc9b9bf046ap-17,
    -0x1.a2dbdff8e8dcdp-14, 0x1.e7db6fbc0aaf7p-15,  -0x1.62ff1a50b119bp-16, 0x1.799adc0059edfp-18,
    -0x1.30675661d7192p-20, 0x1.731e32ae851b1p-23,  -0x1.4d0f14df51672p-26, 0x1.a00709cf24c59p-30,
    -0x1.433ea05f24910p-34, 0x1.d685ba52b7fcdp-40};

// (log(1 + f) - f + f^2/2) / f^3 on sqrt(1/2) - 1 <= f <= sqrt 2 - 1; error relative to log(1 + f).
// Largest error of the rounded polynomial: 7.53e-09 = 2^-27.0.
inline constexpr std::array<double, 8> kLogF32 = {0x1.5555540000000p-2,  -0x1.0002280000000p-2, 0x1.99a00a0000000p-3,
                                                  -0x1.5472280000000p-3, 0x1.22d9d60000000p-3,  -0x1.0d86280000000p-3,
                                                  0x1.055dd00000000p-3,  -0x1.38b6840000000p-4};

// R(z) / z with log((1+s)/(1-s)) = 2s + s R(z), z = s^2, |s| <= (sqrt 2 - 1)/(sqrt 2 + 1); error relative to 2s.
// Largest error of the rounded polynomial: 1.95e-18 = 2^-58.8.
inline constexpr std::array<double, 7> kLogF64 = {0x1.5555555555592p-1, 0x1.999999997fd40p-2, 0x1.24924941f883fp-2,
                                                  0x1.c71c5202c989ep-3, 0x1.7466405d84cd7p-3, 0x1.39a192942d466p-3,
                                                  0x1.2f070f6fa0090p-3};

// (log2((1+s)/(1-s)) - 2 s / ln 2) / s^3 in z = s^2; error relative to log2.
// Largest error of the rounded polynomial: 2.22e-10 = 2^-32.1.
inline constexpr std::array<double, 4> kLog2TailF32 = {0x1.ec709e0000000p-1, 0x1.2777680000000p-1, 0x1.a5964a0000000p-2,
                                                       0x1.5c63500000000p-2};

// (log2((1+s)/(1-s)) - 2 (s + s^3/3) / ln 2) / s^5 in z = s^2; error relative to log2.
// Largest error of the rounded polynomial: 1.31e-20 = 2^-66.0.
inline constexpr std::array<double, 7> kLog2TailF64 = {0x1.2776c50ef9d24p-1, 0x1.a61762a75987fp-2, 0x1.484b142196627p-2,
                                                       0x1.0c9a63d7a93a5p-2, 0x1.c69f8bc415039p-3, 0x1.87b0c92d3d6a5p-3,
                                                       0x1.85e8d906ee2afp-3};

// Constants as sums of parts, the leading ones short enough that their products with the integers in use are exact.
inline constexpr std::array<double, 1> kLog2EF32 = {0x1.7154760000000p+0};
inline constexpr std::array<double, 1> kLog2EF64 = {0x1.71547652b82fep+0};
inline constexpr std::array<double, 1> kWholeLn2F32 = {0x1.62e4300000000p-1};
inline constexpr std::array<double, 1> kWholeLn2F64 = {0x1.62e42fefa39efp-1};
inline constexpr std::array<double, 2> kLn2F32 = {0x1.62e4000000000p-1, 0x1.7f7d1c0000000p-20};
inline constexpr std::array<double, 2> kLn2F64 = {0x1.62e42ff000000p-1, -0x1.718432a1b0e26p-35};
inline constexpr std::array<double, 2> kTwoOverLn2F32 = {0x1.7154760000000p+1, 0x1.4ae0c00000000p-25};
inline constexpr std::array<double, 2> kTwoOverLn2F64 = {0x1.71547652b82fep+1, 0x1.777d0ffda0d24p-55};
inline constexpr std::array<double, 2> kTwoOverThreeLn2F64 = {0x1.ec709dc3a03fdp-1, 0x1.d27f05548af0cp-55};
inline constexpr std::array<double, 1> kTwoOverPiF64 = {0x1.45f306dc9c883p-1};
inline constexpr std::array<double, 4> kHalfPiF64 = {0x1.921fb54400000p+0, 0x1.0b4611a600000p-34, 0x1.3198a2e000000p-69,
                                                     0x1.b839a252049c1p-104};
inline constexpr std::array<double, 2> kHalfPiExtendedF64 = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54};

// The binary digits of 2/pi, most significant word first, behind one word of zeros.
inline constexpr std::array<std::uint64_t, 20> kTwoOverPiDigits = {
    0x0000000000000000, 0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561,
    0xb7246e3a424dd2e0, 0x06492eea09d1921c, 0xfe1deb1cb129a73e, 0xe88235f52ebb4484, 0xe99c7026b45f7e41,
    0x3991d639835339f4, 0x9c845f8bbdf9283b, 0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7,
    0x4f463f669e5fea2d, 0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab};

}  // namespace tarn::vector_math_coefficients
