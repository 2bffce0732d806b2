// What runs before Rust on QEMU's Xtensa machine `sim`: rustc has no assembler for this processor.

// Xtensa code keeps its callers in a file of registers, and moves a window over it at each call.
// When the window meets a frame that is still in use, that frame is spilled to its stack, and
// reloaded on return: these six handlers, for calls by 4, 8 and 12 registers. Each has 64 bytes.
    .section .vectors, "ax"
    .global _vectors
_vectors:
    .org 0x00                   // overflow, 4
    s32e a0, a5, -16
    s32e a1, a5, -12
    s32e a2, a5, -8
    s32e a3, a5, -4
    rfwo
    .org 0x40                   // underflow, 4
    l32e a0, a5, -16
    l32e a1, a5, -12
    l32e a2, a5, -8
    l32e a3, a5, -4
    rfwu
    .org 0x80                   // overflow, 8
    s32e a0, a9, -16
    l32e a0, a1, -12
    s32e a1, a9, -12
    s32e a2, a9, -8
    s32e a3, a9, -4
    s32e a4, a0, -32
    s32e a5, a0, -28
    s32e a6, a0, -24
    s32e a7, a0, -20
    rfwo
    .org 0xc0                   // underflow, 8
    l32e a0, a9, -16
    l32e a1, a9, -12
    l32e a2, a9, -8
    l32e a7, a1, -12
    l32e a3, a9, -4
    l32e a4, a7, -32
    l32e a5, a7, -28
    l32e a6, a7, -24
    l32e a7, a7, -20
    rfwu
    .org 0x100                  // overflow, 12
    s32e a0, a13, -16
    l32e a0, a1, -12
    s32e a1, a13, -12
    s32e a2, a13, -8
    s32e a3, a13, -4
    s32e a4, a0, -48
    s32e a5, a0, -44
    s32e a6, a0, -40
    s32e a7, a0, -36
    s32e a8, a0, -32
    s32e a9, a0, -28
    s32e a10, a0, -24
    s32e a11, a0, -20
    rfwo
    .org 0x140                  // underflow, 12
    l32e a0, a13, -16
    l32e a1, a13, -12
    l32e a2, a13, -8
    l32e a11, a1, -12
    l32e a3, a13, -4
    l32e a4, a11, -48
    l32e a5, a11, -44
    l32e a6, a11, -40
    l32e a7, a11, -36
    l32e a8, a11, -32
    l32e a9, a11, -28
    l32e a10, a11, -24
    l32e a11, a11, -20
    rfwu
    .org 0x300                  // an exception in the kernel's mode
    j fault
    .org 0x340                  // in the user's mode
    j fault
    .org 0x3c0                  // in a handler
    j fault
    .org 0x400
fault:                          // exit(100 + the cause)
    rsr a3, exccause
    addi a3, a3, 100
    movi a2, 1
    .byte 0x00, 0x51, 0x00      // simcall, which LLVM's assembler does not know
1:  j 1b

    .section .reset, "ax"
    .global _start
_start:
    j 1f
    .align 4
.Lvectors:  .long _vectors
.Lstack:    .long _stack_top
.Lstatus:   .long 0x0004002f    // windows on, interrupts off, no exception
.Lmain:     .long xtensa_main
1:
    l32r a2, .Lvectors
    wsr a2, vecbase
    movi a2, 0
    wsr a2, windowbase
    rsync
    movi a2, 1
    wsr a2, windowstart
    rsync
    l32r a2, .Lstatus
    wsr a2, ps
    rsync
    movi a0, 0
    l32r a1, .Lstack
    addi a1, a1, -32
    l32r a4, .Lmain
    callx4 a4                   // not by 8: this frame has no caller whose stack would take the rest
1:  j 1b

// u32 xtensa_simcall(u32 number, u32, u32, u32): what QEMU does for the program.
    .section .text.xtensa_simcall, "ax"
    .global xtensa_simcall
    .align 4
xtensa_simcall:
    entry a1, 32
    .byte 0x00, 0x51, 0x00      // simcall
    retw

// LLVM makes a call of this from its instruction `trap`.
    .section .text.abort, "ax"
    .global abort
    .align 4
abort:
    entry a1, 32
    movi a2, 1
    movi a3, 134
    .byte 0x00, 0x51, 0x00      // simcall: exit(134)
1:  j 1b
