#include <map>
#include <string>
#include <vector>
#include <iostream>
#include <regex>
int main(){ std::map<std::string,std::vector<int>> m; std::regex r("a+b"); for(int i=0;i<100;i++) m[std::to_string(i)].push_back(i); for(auto&p:m) std::cout<<p.first<<std::regex_match(p.first,r)<<p.second.size(); }
