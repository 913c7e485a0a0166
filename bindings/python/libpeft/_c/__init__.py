# SPDX-License-Identifier: Apache-2.0
"""The C libraries by ctypes: what the classes of libpeft are made of."""
