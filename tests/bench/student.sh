# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts with awk programs that print 95 % intervals: quantiles 0.975 of Student's t with 1 to 9 degrees
# of freedom, for means of two to ten runs. In awk -v student="$student": split(student, t, " "), then t[runs - 1].
student="12.706 4.303 3.182 2.776 2.571 2.447 2.365 2.306 2.262"
