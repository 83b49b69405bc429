// SPDX-License-Identifier: Apache-2.0
int UserOfStd();
int UserOfOther();

int main() { return UserOfStd() + UserOfOther() == 2 ? 0 : 1; }
