/* SPDX-License-Identifier: BSD-2-Clause */
	.section .rodata
	.global admin_page, admin_page_end
admin_page:
	.incbin "server/admin_page.html"
admin_page_end:
	.byte 0
	.section .note.GNU-stack, "", %progbits
