/* SPDX-License-Identifier: Apache-2.0
 *
 * What the models share. A property is a name that is always false, so that the name stands in the
 * message of the assertion that fails:
 *
 *   PROPERTY(exclusion)
 *   CHECK(exclusion, owners == 1);
 */
#define PROPERTY(name) hidden byte name;
#define CHECK(property, condition) assert(property || (condition))
#define BIT(i) (1 << (i))
#define HAS(set, i) (((set) & BIT(i)) != 0)
#define LOWEST(bits) ((bits) & -(bits))
